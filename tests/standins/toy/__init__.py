"""A sensor that nobody built: three bands of 50 m and a mask of its own, one folder of the library."""
