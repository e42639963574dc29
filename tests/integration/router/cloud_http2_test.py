# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The router to a cloud that speaks TLS and HTTP/2, as the real one does: nginx before the emulator.
cloud_http2_test.py BINARIES"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import world  # noqa: E402

STREAMS = 16


def nginx(here):
    """Starts nginx with a certificate of its own; it inherits its socket, so its port is free for certain."""
    folder = here.folder
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "nginx.key", "-out",
                    folder / "nginx.pem"], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        start_nginx(here, listening, port)
    return f"base_url: https://localhost:{port}\n  ca_file: nginx.pem"


def start_nginx(here, listening, port):
    folder = here.folder
    here.write("nginx.conf", f"""\
daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ }}
http {{
  log_format front '$server_protocol $connection $ssl_protocol'; access_log {folder}/front.txt front;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate nginx.pem; ssl_certificate_key nginx.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://{here.emulator}; proxy_http_version 1.1; proxy_buffering off; }}
  }}
}}
""")
    os.set_inheritable(listening.fileno(), True)
    here.programs.append(subprocess.Popen(
        [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", folder, "-c", "nginx.conf"],
        env=dict(os.environ, NGINX=f"{listening.fileno()};"), pass_fds=[listening.fileno()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=world.die_with_parent))


class CloudHttp2Test(unittest.TestCase):
    def ask(self, here, routes):
        request = urllib.request.Request(
            f"http://{here.http}/v1/chat/completions",
            json.dumps({"messages": [{"role": "user", "content": world.EVERYDAY}], "max_tokens": 8}).encode(),
            {"content-type": "application/json", "authorization": "Bearer " + world.KEY})
        with urllib.request.urlopen(request, timeout=30) as answer:
            routes.append(answer.headers["x-headgate-route"])

    def test_streams_share_connections_by_http2(self):
        with world.World(BINARIES, front=nginx) as here:
            routes = []
            self.ask(here, routes)
            threads = [threading.Thread(target=self.ask, args=(here, routes)) for _ in range(STREAMS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(routes, ["cloud"] * (STREAMS + 1))
            seen = [line.split() for line in (here.folder / "front.txt").read_text().splitlines()]
            self.assertEqual(len(seen), STREAMS + 1)
            self.assertEqual({protocol for protocol, _, _ in seen}, {"HTTP/2.0"})
            self.assertEqual({tls for _, _, tls in seen}, {"TLSv1.3"})
            self.assertLessEqual(len({connection for _, connection, _ in seen}), 4)

    def test_a_certificate_of_somebody_else_gets_nothing(self):
        def other_authority(here):
            cloud = nginx(here)
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout",
                            here.folder / "other.key", "-out", here.folder / "other.pem"], check=True,
                           capture_output=True)
            return re.sub("nginx.pem", "other.pem", cloud)

        with world.World(BINARIES, front=other_authority) as here:
            routes = []
            self.ask(here, routes)
            self.assertEqual(routes, ["local"])
            self.assertEqual((here.folder / "front.txt").read_text(), "")


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        world.skip("no nginx here")
    unittest.main()
