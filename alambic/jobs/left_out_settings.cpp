#include "alambic/jobs/left_out_settings.h"

#include "alambic/base/log.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/generation_settings.h"

namespace alambic {

void say_left_out(const nlohmann::ordered_json& generation_config, const std::string& model,
                  const std::string& why) {
  const std::string file = generation_config_name(model);
  const std::string asked = generation_settings(generation_config, file).processors();
  if (!asked.empty()) say("{} asks for {}; {}", file, asked, why);
}

}  // namespace alambic
