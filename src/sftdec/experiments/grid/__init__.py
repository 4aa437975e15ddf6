"""The grid: every model at hand measured on every data set at hand, each cell once."""
