#include <fmt/core.h>

#include "alambic/cli/commands/keygen_options.h"
#include "alambic/cli/run.h"

namespace alambic {

int run(const KeygenOptions& options) {
  const KeyHandle key = new_key(options.curve);
  write_key_pair(options.out, key);
  fmt::print("{} key {}\n{}      keep it to yourself: alambic sign FOLDER --key {}\n",
             curve_name(key), key_hint(key).substr(0, 16), options.out, options.out);
  fmt::print("{}.pub  give it to those who verify: alambic verify FOLDER --key {}.pub\n",
             options.out, options.out);
  return 0;
}

}  // namespace alambic
