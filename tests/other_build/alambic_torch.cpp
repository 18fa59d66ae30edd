// A libalambic_torch.so of another build, as an upgrade that replaces half of an installation
// leaves it (tests/program/library_test.cpp).
#include <cstdlib>

extern "C" const char* alambic_torch_version() { return "alambic 0.0.0, build 0123456789abcdef"; }

// Its objects look otherwise: with this program's it may do anything.
extern "C" int alambic_torch_run(const char*, const void*) { std::abort(); }
