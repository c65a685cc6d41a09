"""A page to see and hear a transcription: one HTML file that works offline.

Is: the page (`page.write_page`), its picture tiles (`tiles`), its recording (`recording`); the script, style
and markup that it is made of lie beside them.
Is not: a server, or anything that is fetched from one.
"""
