#include "alambic/jobs/hosted_models.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/generation_settings.h"
#include "alambic/teacher/head_bytes.h"
#include "alambic/text/tokenizer/adapter_tokenizer.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

Pretrained load(const std::string& folder, const std::string& adapter,
                const ServeOptions& options) {
  LoadOptions load = prepare_machine(options.machine);
  load.adapter = adapter;
  return from_pretrained(folder, load);
}

// What the model asks of every draw, as `alambic generate` applies it.
Sampling sampling_of(const Pretrained& loaded, const std::string& folder) {
  const GenerationSettings settings =
      generation_settings(loaded.generation_config, generation_config_name(folder));
  Sampling sampling;
  sampling.repetition_penalty = settings.repetition_penalty;
  sampling.suppressed = settings.suppress_tokens;
  sampling.suppressed_at_first = settings.begin_suppress_tokens;
  return sampling;
}

struct NamedModel {
  std::string name, folder;
};

NamedModel parse_named(const std::string& option, const std::string& text, bool needs_name) {
  const size_t equals = text.find('=');
  const bool has_name = equals != text.npos && !path_exists(text);
  if (!has_name && !needs_name) {
    const fs::path folder(text);
    const fs::path name =
        folder.has_filename() ? folder.filename() : folder.parent_path().filename();
    return {name.string(), text};
  }
  if (!has_name || equals == 0 || equals + 1 == text.size()) {
    throw input_error("--{} {}: expected NAME=FOLDER", option, text);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

HostedModel::HostedModel(std::string name, const std::string& folder, const std::string& adapter,
                         const ServeOptions& options)
    : name_(std::move(name)),
      loaded_(load(folder, adapter, options)),
      chats_(tokenizer_folder(folder, adapter), loaded_.tokenizer, options.chat_template),
      sampling_(sampling_of(loaded_, folder)) {
  context_ = loaded_.model->shape().positions;
  if (options.max_length > 0) context_ = std::min(context_, options.max_length);
  const bool has_template = !options.chat_template.file.empty() ||
                            find_chat_template(tokenizer_folder(folder, adapter)).has_value();
  if (has_template) chat_template_ = &chats_.chat_template();
}

ServedModel HostedModel::served() {
  ServedModel served{.name = name_,
                     .tokenizer = &loaded_.tokenizer,
                     .chat_template = chat_template_,
                     .context = context_,
                     .vocabulary = loaded_.vocabulary};
  if (chat_template_ != nullptr) {
    served.end_of_turn = end_of_turn(*chat_template_, loaded_.tokenizer);
  }
  served.head = [this]() -> const std::string& { return head(); };
  served.head_digest = [this]() -> const std::string& {
    head();
    return head_digest_;
  };
  return served;
}

// Made when the first client wants it: it may be large.
const std::string& HostedModel::head() {
  std::call_once(head_once_, [&] {
    const c10::InferenceMode no_gradients;
    head_ = head_bytes(loaded_.model->head().cut(loaded_.vocabulary));
    head_digest_ = sha256(head_);
  });
  return head_;
}

EngineSetup HostedModel::engine_setup() const {
  return {.model = loaded_.model.get(),
          .vocabulary = loaded_.vocabulary,
          .context = context_,
          .stop_tokens = loaded_.stop_tokens,
          .sampling = sampling_};
}

std::vector<std::unique_ptr<HostedModel>> load_hosted_models(const ServeOptions& options) {
  std::vector<std::unique_ptr<HostedModel>> models;
  const auto add = [&](const NamedModel& model, const std::string& adapter) {
    const auto same = [&](const auto& other) { return other->name() == model.name; };
    if (std::ranges::any_of(models, same)) {
      throw input_error("two models would be served as '{}'", model.name)
          .with_hint("give each a name: --model NAME=FOLDER");
    }
    models.push_back(std::make_unique<HostedModel>(model.name, model.folder, adapter, options));
  };
  for (const std::string& text : options.models) add(parse_named("model", text, false), "");
  const NamedModel base = parse_named("model", options.models.front(), false);
  for (const std::string& text : options.adapters) {
    const NamedModel adapter = parse_named("adapter", text, true);
    add({adapter.name, base.folder}, adapter.folder);
  }
  return models;
}

}  // namespace alambic
