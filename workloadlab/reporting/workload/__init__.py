"""A profile as a section of the page: sentences, tables, and a file of figures for each topic.

Start with `section.py`: what the workload is in words, and which figures follow; then `service.py`,
a file with one figure; then `arrivals.py`, with several. Each file bears the name of the topic
whose facts it draws; a topic without support has no figure. To add a figure of a topic, add it to
the file of that topic's name.
"""
