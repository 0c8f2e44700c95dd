// Of this name on Windows, where letters are no matter.
#include <winsock2.h>
