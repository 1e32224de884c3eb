"""The pilot model: a small chat model trained from scratch on text the project wrote, so that everything runs offline."""
