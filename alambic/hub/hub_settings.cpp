#include "alambic/hub/hub_settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <initializer_list>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/printable.h"
#include "alambic/base/trimmed.h"

namespace alambic {
namespace {

// The first of the variables that has a value; "" where none has.
std::string variable(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const std::optional<std::string> value = environment_variable(name)) return *value;
  }
  return "";
}

// huggingface_hub's _is_true
bool is_true(std::string value) {
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::toupper(c); });
  constexpr std::array yes = {"1", "ON", "YES", "TRUE"};
  return std::ranges::find(yes, value) != yes.end();
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// "~/x/$USER/${USER}" as Python's expandvars and expanduser read it; what is not set stays.
fs::path expanded(const std::string& text) {
  std::string path;
  for (size_t i = 0; i < text.size();) {
    const bool braces = text.compare(i, 2, "${") == 0;
    size_t end = i + (braces ? 2 : 1);
    while (end < text.size() && is_name(text[end])) ++end;
    const size_t begin = i + (braces ? 2 : 1);
    const bool closed = !braces || (end < text.size() && text[end] == '}');
    const char* value =
        text[i] == '$' && closed ? std::getenv(text.substr(begin, end - begin).c_str()) : nullptr;
    if (value == nullptr) {
      path += text[i++];
    } else {
      path += value;
      i = end + (braces ? 1 : 0);
    }
  }
  const bool of_home = path == "~" || path.starts_with("~/");
  return of_home ? fs::path(variable({"HOME"}) + path.substr(1)) : fs::path(path);
}

fs::path absolute_path(const fs::path& path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error);
  if (error) throw path_error("find the cache", path, error);
  return full;
}

fs::path hf_home() {
  const std::string home = variable({"HF_HOME"});
  if (!home.empty()) return expanded(home);
  const std::string caches = variable({"XDG_CACHE_HOME"});
  return expanded(caches.empty() ? "~/.cache" : caches) / "huggingface";
}

fs::path cache_folder() {
  const std::string cache = variable({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  if (!cache.empty()) return absolute_path(expanded(cache));
  const std::string own = variable({"ALAMBIC_CACHE"});
  if (variable({"HF_HOME"}).empty() && !own.empty()) return absolute_path(fs::path(own) / "hub");
  return absolute_path(hf_home() / "hub");
}

// Without line breaks and without spaces around it, as it was pasted.
std::string clean(std::string token) {
  std::erase_if(token, [](char c) { return c == '\r' || c == '\n'; });
  return std::string(trimmed(token));
}

std::string token() {
  if (is_true(variable({"HF_HUB_DISABLE_IMPLICIT_TOKEN"}))) return "";
  const std::string given = clean(variable({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}));
  if (!given.empty()) return given;
  const std::string place = variable({"HF_TOKEN_PATH"});
  const fs::path file = place.empty() ? hf_home() / "token" : expanded(place);
  return is_file(file) ? clean(read_file(file, 1 << 16)) : "";
}

}  // namespace

HubSettings hub_settings() {
  HubSettings settings;
  if (const std::string endpoint = variable({"HF_ENDPOINT"}); !endpoint.empty()) {
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
      throw input_error("HF_ENDPOINT should begin with https:// or http://, found '{}'",
                        printable(endpoint));
    }
    settings.endpoint = endpoint.substr(0, endpoint.find_last_not_of('/') + 1);
  }
  settings.token = token();
  settings.offline = is_true(variable({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}));
  settings.links = !is_true(variable({"HF_HUB_DISABLE_SYMLINKS"}));
  settings.cache = cache_folder();
  return settings;
}

}  // namespace alambic
