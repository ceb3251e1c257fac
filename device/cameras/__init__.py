"""What a picture comes from: cameras, videos, folders of pictures, and whether a camera still sees."""
