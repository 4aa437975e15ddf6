"""The page reports/report.html: what was run and how good it is."""

from sftdec.reporting.report.material import Material
from sftdec.reporting.report.page import PAGE_LIMIT, write_report

__all__ = ["PAGE_LIMIT", "Material", "write_report"]
