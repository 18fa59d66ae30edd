// Which modules PEFT gives an adapter, and of which rank (tuners_utils.check_target_module_exists,
// other.get_pattern_key).
#include <algorithm>
#include <cmath>
#include <ranges>

#include "alambic/model/adapter_config.h"

namespace alambic {

namespace {

bool matches(const Regex& pattern, const std::string& module) {
  return !pattern.find_all(module).empty();
}

template <class T>
T value_for(const std::vector<ModulePattern<T>>& patterns, const std::string& module, T otherwise) {
  for (const ModulePattern<T>& one : patterns) {
    if (matches(one.pattern, module)) return one.value;
  }
  return otherwise;
}

bool is_number(std::string_view part) {
  return !part.empty() && part.size() < 10 &&
         part.find_first_not_of("0123456789") == std::string_view::npos;
}

// The number of the layer that a module is in: the first number in its name that follows one of
// the lists and has something behind it; -1: none.
int64_t layer_of(const std::string& module, const std::vector<Regex>& lists) {
  for (size_t begin = module.find('.'); begin != std::string::npos;
       begin = module.find('.', begin + 1)) {
    const size_t end = module.find('.', begin + 1);
    if (end == std::string::npos) return -1;
    const std::string part = module.substr(begin + 1, end - begin - 1);
    if (!is_number(part)) continue;
    const std::string list = module.substr(0, begin);
    const auto named = [&](const Regex& one) { return matches(one, list); };
    // Without names of lists PEFT's pattern wants a module above the list.
    const bool counts =
        lists.empty() ? list.find('.') != std::string::npos : std::ranges::any_of(lists, named);
    if (counts) return std::stoll(part);
  }
  return -1;
}

}  // namespace

bool ModuleNames::match(const std::string& module) const {
  if (pattern) return matches(*pattern, module);
  return std::ranges::any_of(names, [&](const std::string& name) {
    return module == name || module.ends_with("." + name);
  });
}

int64_t AdapterConfig::rank_of(const std::string& module) const {
  return value_for(rank_pattern, module, rank);
}

double AdapterConfig::scaling_of(const std::string& module) const {
  const auto r = static_cast<double>(rank_of(module));
  return value_for(alpha_pattern, module, alpha) / (rslora ? std::sqrt(r) : r);
}

bool AdapterConfig::is_target(const std::string& module, bool is_head) const {
  if (excluded && excluded->match(module)) return false;
  const auto under = [&](const Regex& pattern) { return matches(pattern, module); };
  if (std::ranges::any_of(under_saved, under)) return false;
  if (all_linear) return !is_head;
  if (!targets || !targets->match(module)) return false;
  const bool named = std::ranges::find(targets->names, module) != targets->names.end();
  if (layers.empty() || named) return true;
  return std::ranges::find(layers, layer_of(module, layer_lists)) != layers.end();
}

bool AdapterConfig::is_saved(const std::string& module) const {
  for (size_t end = module.size(); end != std::string::npos;
       end = end == 0 ? std::string::npos : module.rfind('.', end - 1)) {
    const std::string_view above = std::string_view(module).substr(0, end);
    const auto named = [&](const std::string& name) { return above.ends_with(name); };
    if (std::ranges::any_of(saved, named)) return true;
  }
  return false;
}

std::vector<std::string> default_targets(const std::string& model_type) {
  if (model_type == "gpt2") return {"c_attn"};
  if (model_type == "gpt_neox") return {"query_key_value"};
  for (const char* type :
       {"llama", "mistral", "mixtral", "gemma2", "gemma3_text", "qwen2", "qwen3"}) {
    if (model_type == type) return {"q_proj", "v_proj"};
  }
  return {};
}

}  // namespace alambic
