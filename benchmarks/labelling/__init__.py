"""Quality where nothing says what is right: people, and a judge if asked, compare the answers that differ."""
