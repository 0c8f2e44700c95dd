// The benchmark program: public Winsock API only, so that the same .exe runs on any ws2_32.dll.
//
//     bench.exe [--iterations N] [--samples N] [--sample-ms N] WORKLOAD...
//     bench.exe --list
//     bench.exe --count CALL|all [--iterations N]
//     bench.exe --idle

#include "counted.h"
#include "module.h"
#include "workloads.h"

#include <cstdio>

namespace {

/// Winsock for as long as the program runs.
class Winsock {
public:
    Winsock() { m_error = WSAStartup(MAKEWORD(2, 2), &m_data); }
    ~Winsock()
    {
        if (!m_error)
            WSACleanup();
    }
    int error() const { return m_error; }

private:
    WSADATA m_data;
    int m_error;
};

/// Does nothing until its standard input ends: a driver keeps the system's own processes running
/// with it.
int idle()
{
    std::printf("idle\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) { }
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const Winsock winsock;
    if (winsock.error()) {
        std::fprintf(stderr, "bench: WSAStartup failed, error %d\n", winsock.error());
        return 1;
    }
    const std::string first = argc > 1 ? argv[1] : "";
    if (first == bench::kStartAndExit)
        return 0;
    if (first == "--idle")
        return idle();

    const bench::Ws2Module module = bench::loaded_ws2_module();
    std::printf("module path=\"%s\" product=\"%s\" version=\"%s\" kernel=\"%s\"\n",
        module.path.c_str(), module.product.c_str(), module.version.c_str(),
        bench::kernel_at_work().c_str());
    std::fflush(stdout);
    return first == "--count" ? bench::run_counted(argc, argv)
                              : bench::run_workloads(bench::all_workloads(), argc, argv);
}
