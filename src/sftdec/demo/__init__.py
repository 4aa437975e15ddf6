"""The web page of ``sftdec demo``: photos of visitors on this machine, deblurred one after the other."""
