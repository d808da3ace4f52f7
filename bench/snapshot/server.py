#!/usr/bin/env python3
"""server.py --programs FOLDER --oxbow FILE [--quick]: the part of run.py about a server that gives each request an
interpreter of its own, under the load of wrk. Wants the Debian packages wrk, and liblua5.4-dev for the states of Lua."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures  # noqa: E402

WAYS = {
    "fork": "fork_of_a_vm", "new": "new_lua_state", "pool": "pooled_lua_state", "process": "fork_of_the_process",
}


def load(program, how, seconds):
    """Requests a second, and CPU microseconds of the server for each; None: it cannot do that."""
    server = subprocess.Popen([program, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              universal_newlines=True)
    port = server.stdout.readline().strip()
    if not port:
        server.wait()
        return None
    url = "http://127.0.0.1:%s/add?a=40&b=2" % port
    try:
        done = subprocess.run(["wrk", "-t1", "-c8", "-d%ds" % seconds, url], stdout=subprocess.PIPE, check=True,
                              universal_newlines=True)
        with open("/proc/%d/stat" % server.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    finally:
        server.kill()
        server.wait()
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit("server %s: requests failed\n%s" % (how, done.stdout))
    ticks = sum(int(fields[i]) for i in (11, 12, 13, 14))  # its own and that of its children
    requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout).group(1))
    return rate, ticks / os.sysconf("SC_CLK_TCK") * 1e6 / requests


def main():
    args = figures.arguments(__doc__).parse_args()
    figure = figures.Figures("").figure
    if not shutil.which("wrk"):
        print("    skipped: wrk is not installed (Debian package wrk)")
        return
    rates, costs = {}, {}
    for how, name in WAYS.items():
        got = load(os.path.join(args.programs, "server"), how, 2 if args.quick else 8)
        if not got:
            print("    %s: skipped, built without Lua (Debian package liblua5.4-dev)" % name)
            continue
        rates[how], costs[how] = got
        figure("server_requests_a_second_%s" % name, rates[how], digits=0)
        figure("server_cpu_us_a_request_%s" % name, costs[how], digits=1)
    for how in rates:
        if how != "fork":
            figure("server_fork_of_a_vm_vs_%s" % WAYS[how], rates["fork"] / rates[how], digits=2)


if __name__ == "__main__":
    sys.exit(main())
