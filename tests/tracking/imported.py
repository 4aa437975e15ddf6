"""A process that has imported MLflow once, for all the processes that send: each is a fork of it, 1.5 s sooner.

`python imported.py serve SOCKET` is that process; `python -S imported.py SOCKET` stands where the process that sends
would: it hands on its standard streams and surroundings, and ends as the fork does.
"""

import json
import os
import socket
import sys


def serve(path: str) -> None:
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    from mlflow import MlflowClient  # noqa: F401

    from sftdec.tracking import delivering

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        while True:
            connection, _ = listening.accept()
            told, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
            if os.fork():
                connection.close()
                for stream in streams:
                    os.close(stream)
                continue
            if sender := os.fork():  # this one waits for it, so that nobody else has to
                code = os.waitstatus_to_exitcode(os.waitpid(sender, 0)[1])
                connection.sendall(str(code).encode())
                os._exit(0)
            surroundings, folder = json.loads(told)
            os.environ.clear()
            os.environ.update(surroundings)
            os.chdir(folder)
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            delivering.main()


def stand_in(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        told = json.dumps([dict(os.environ), os.getcwd()]).encode()
        socket.send_fds(connection, [told], [0, 1, 2])
        for number in (0, 1):
            os.close(number)
        os._exit(int(connection.recv(16) or b"1") & 255)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        stand_in(sys.argv[1])
