#pragma once

#include <string_view>

namespace alambic {

/// Hands all bytes to the system. 0, or the reason (an errno) why it took no more; a limit on file
/// sizes is such a reason (EFBIG), and not the signal that ends a program (SIGXFSZ).
int write_all(int descriptor, std::string_view bytes);

}  // namespace alambic
