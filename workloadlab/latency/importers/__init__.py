"""Published profile tables turned into step samples."""
