// Of this name on Windows, where letters are no matter.
#include <ws2tcpip.h>
