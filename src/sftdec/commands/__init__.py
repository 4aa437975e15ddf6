"""The commands of ``sftdec`` that have a file of their own; each imports what it needs when it runs."""
