"""Pages for people: server-rendered, each whole without a script."""
