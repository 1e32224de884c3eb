"""The pilot model: a small chat model trained from scratch on the project's own text, so that all runs offline."""
