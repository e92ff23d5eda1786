"""The pages: server-rendered, the same figures as the API's, each whole without a script. Begin at `page.py`."""
