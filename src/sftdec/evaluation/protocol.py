"""How pictures and maps were measured, in words: the footnote of every table."""

PROTOCOL = (
    "Pictures are compared as 8-bit sRGB: a restored picture of 0..1 is clipped, multiplied by 255 and rounded half to "
    "even; the data range is 255; nothing is cropped from the border. PSNR is of the mean squared error over all "
    "pixels and the three colour channels together. SSIM (Wang et al. 2004) has a Gaussian window of 11×11 px with "
    "sigma 1.5, population covariance, K1 0.01 and K2 0.03, is computed for each colour channel by itself, and is the "
    "mean over the channels and over all positions at which the window lies inside the picture (torchmetrics' own "
    "mean also takes in the border, mirrored). Both are averaged over "
    "pictures. MAE and MSE are of defocus maps in units of sigma / sigma_max of the data set (0..1), the estimate "
    "clipped to that range, over all pixels of a picture, and averaged over pictures."
)
