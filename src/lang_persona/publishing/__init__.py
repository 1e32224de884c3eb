"""A condition as repositories of the Hugging Face hub: an adapter and its data, with cards written from the run."""
