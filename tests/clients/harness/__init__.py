"""What the program modules share: downloads, builds, Wine processes, peers on the Linux side."""
