"""The built-in mechanisms. They enter through the same door as anybody's plug-in."""
