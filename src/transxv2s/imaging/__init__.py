"""From a file to the square that the network sees: decoding, hair, crop, colour, size, quality."""
