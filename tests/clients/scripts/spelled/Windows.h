// Of this name on Windows, where letters are no matter.
#include <windows.h>
