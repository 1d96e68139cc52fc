"""The study of learned routers: its settings, its cells, and the page that they are written on."""
