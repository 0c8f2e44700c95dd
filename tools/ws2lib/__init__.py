"""The modules of tools/ws2. Standard library only: the command must start on a bare machine."""
