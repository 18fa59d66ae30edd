#include "alambic/options/common_options.h"

namespace alambic {

const std::vector<CommonOption>& common_options() {
  static const std::vector<CommonOption> options = {
      {"config", "FILE", "TOML file with the same keys; the command line wins"},
      {"offline", "", "models of the hub only from the cache; as HF_HUB_OFFLINE=1"},
      {"debug", "", "show an error in full"},
      {"help", "", "this text"}};
  return options;
}

}  // namespace alambic
