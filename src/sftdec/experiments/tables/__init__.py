"""Tables 1 and 2 of the paper, and its figures 5 to 9: all methods judged, paired with SFT-Dec and laid side by side.

``judged`` makes a row a scene and method, ``rows`` the figures, ``pages`` what is said of them, ``documents`` the
files, ``panels`` the pictures, ``costs`` what a megapixel costs; ``methods`` says which methods there are and what the
paper reports of them. ``differences`` compares trainings, for ``table3`` and the open ``readings``.
"""
