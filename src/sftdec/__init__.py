"""SFT-Dec: single-image defocus deblurring guided by an estimated defocus map."""
