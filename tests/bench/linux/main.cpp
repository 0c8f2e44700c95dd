// The native program: what the same work costs on this machine without Windows, as the limit.
//
//     bench-linux [--iterations N] [--samples N] [--sample-ms N] WORKLOAD...
//     bench-linux --list

#include "../workloads.h"

#include <sys/resource.h>

int main(int argc, char** argv)
{
    if (argc > 1 && std::string(argv[1]) == bench::kStartAndExit)
        return 0;
    // 10,000 open sockets need more than the usual soft limit; the hard one is ours to use.
    rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return bench::run_workloads(bench::all_workloads(), argc, argv);
}
