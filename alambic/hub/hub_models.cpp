#include "alambic/hub/hub_models.h"

#include <optional>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/hub/hub.h"
#include "alambic/options/option_table.h"

namespace alambic {

namespace {

std::optional<HubName> hub_name(const std::string& value) {
  std::error_code error;
  if (value.ends_with(".gguf") || fs::exists(value, error)) return {};
  const bool local =
      value.find('@') == std::string::npos && fs::exists(value.substr(0, value.find('/')), error);
  return local ? std::nullopt : parse_hub_name(value);
}

std::string fetched(const OptionEntry& entry, const HubName& name, bool offline) {
  try {
    HubSettings settings = hub_settings();
    settings.offline = settings.offline || offline;
    return fetch_model(name, settings, entry.has_weights).string();
  } catch (const Error& error) {
    throw Error(error.exit(),
                fmt::format("--{}: there is no folder {}; as a name of the hub: {}", entry.name,
                            name.id, error.what()),
                error.hint());
  }
}

std::string resolved_model(const OptionEntry& entry, const std::string& value, bool offline) {
  if (const auto name = hub_name(value)) return fetched(entry, *name, offline);
  const size_t equals = entry.is_list() ? value.find('=') : std::string::npos;
  if (equals == std::string::npos) return value;
  const auto name = hub_name(value.substr(equals + 1));
  return name ? value.substr(0, equals + 1) + fetched(entry, *name, offline) : value;
}

}  // namespace

void fetch_models(Options& options, bool offline) {
  OptionTable table(options);
  for (OptionEntry& entry : table.entries()) {
    if (!entry.is_model) continue;
    if (auto* text = std::get_if<std::string*>(&entry.field)) {
      **text = resolved_model(entry, **text, offline);
    } else {
      for (std::string& value : *std::get<std::vector<std::string>*>(entry.field)) {
        value = resolved_model(entry, value, offline);
      }
    }
  }
}

std::string as_hub_name(const std::string& value) {
  const std::string name = hub_name_of(value);
  if (!name.empty()) return name;
  const size_t equals = value.find('=');
  if (equals == std::string::npos) return value;
  const std::string of_list = hub_name_of(value.substr(equals + 1));
  return of_list.empty() ? value : value.substr(0, equals + 1) + of_list;
}

}  // namespace alambic
