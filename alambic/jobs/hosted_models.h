#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "alambic/jobs/model_engine.h"
#include "alambic/jobs/serve_options.h"
#include "alambic/model/pretrained.h"
#include "alambic/serve/served_model.h"
#include "alambic/text/chat/chat_source.h"

namespace alambic {

/// A loaded model under the name that clients know.
class HostedModel {
 public:
  /// Input errors: those of from_pretrained, of a generation_config.json, of a chat template.
  HostedModel(std::string name, const std::string& folder, const std::string& adapter,
              const ServeOptions& options);

  /// Both refer to this, which must not move.
  ServedModel served();
  EngineSetup engine_setup() const;
  const std::string& name() const { return name_; }

 private:
  const std::string& head();

  std::string name_;
  Pretrained loaded_;
  ChatSource chats_;
  const ChatTemplate* chat_template_ = nullptr;
  int64_t context_ = 0;
  Sampling sampling_;
  std::once_flag head_once_;
  std::string head_, head_digest_;
};

/// Models of --model and --adapter. An input error where two have one name.
std::vector<std::unique_ptr<HostedModel>> load_hosted_models(const ServeOptions& options);

}  // namespace alambic
