"""The page reports/report.html: what was run and how good it is."""

from sftdec.evaluation.report.material import Material
from sftdec.evaluation.report.page import PAGE_LIMIT, write_report

__all__ = ["PAGE_LIMIT", "Material", "write_report"]
