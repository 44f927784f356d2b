"""Have the server of warm.py, whose socket is beside this program, run python with the same arguments."""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(__file__.removesuffix("python") + "socket")
    # pathlib would double the imports of this program
    folder = os.getcwd()  # noqa: PTH109
    request = {"arguments": sys.argv[1:], "folder": folder, "environment": dict(os.environ)}
    socket.send_fds(connection, [b" "], [0, 1, 2])
    connection.sendall(json.dumps(request).encode())
    connection.shutdown(socket.SHUT_WR)
    status = int(connection.recv(16))
# as a shell reports a process that was ended by signal N: 128 + N
sys.exit(status if status >= 0 else 128 - status)
