"""Pictures and folders of pictures, read as planes."""
