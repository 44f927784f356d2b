"""An imaginary sensor, as a folder of the library: three bands of 50 m, and a mask of its own."""
