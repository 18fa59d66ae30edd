#include "alambic/base/secret.h"

#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <vector>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/trimmed.h"

namespace alambic {
namespace {

constexpr std::string_view mask = "[key]";

// What must not be shown. Of the process, as its environment is.
struct Shown {
  std::mutex mutex;
  std::vector<const Secret*> secrets;
  std::map<std::string, std::shared_ptr<const Secret>> of_environment;
};

Shown& shown() {
  static Shown all;
  return all;
}

void wipe(std::string& text) {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

void replace_all(std::string& text, std::string_view what) {
  if (what.empty()) return;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + mask.size())) {
    text.replace(at, what.size(), mask);
  }
}

// The part of the base64 text that depends on the key alone, wherever the key begins in what was
// encoded.
std::vector<std::string> base64_forms(std::string_view key) {
  std::vector<std::string> forms;
  for (size_t shift = 0; shift < 3; ++shift) {
    std::string padded(shift, 'x');
    padded += key;
    const size_t whole = padded.size() / 3 * 4, skipped = shift == 0 ? 0 : 4;
    std::string form = encode_base64(padded).substr(0, whole);
    if (form.size() >= skipped + 8) forms.push_back(form.substr(skipped));
    wipe(padded);
  }
  return forms;
}

// "Bearer" and what is not white space, a quote or our mask after it.
void hide_bearers(std::string& text) {
  constexpr std::string_view word = "bearer ";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  size_t from = 0;
  while (true) {
    const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(),
                                   word.begin(), word.end(), same);
    if (found == text.end()) return;
    const size_t begin = static_cast<size_t>(found - text.begin()) + word.size();
    const size_t end = std::min(text.find_first_of(" \t\r\n\"',}", begin), text.size());
    if (end - begin >= 8) text.replace(begin, end - begin, mask);
    from = begin;
  }
}

std::string without_blanks(std::string text) {
  std::string kept(trimmed(text));
  wipe(text);
  return kept;
}

}  // namespace

Secret::Secret(std::string_view key) : bytes_(key) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const std::lock_guard lock(shown().mutex);
  shown().secrets.push_back(this);
}

Secret::~Secret() {
  {
    const std::lock_guard lock(shown().mutex);
    std::erase(shown().secrets, this);
  }
  wipe(bytes_);
}

std::shared_ptr<const Secret> secret_of_environment(const std::string& variable) {
  {
    const std::lock_guard lock(shown().mutex);
    const auto known = shown().of_environment.find(variable);
    if (known != shown().of_environment.end()) return known->second;
  }
  char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') return nullptr;
  auto secret = std::make_shared<const Secret>(value);
  ::explicit_bzero(value, std::strlen(value));  // unsetenv leaves them in /proc/PID/environ
  ::unsetenv(variable.c_str());
  const std::lock_guard lock(shown().mutex);
  shown().of_environment.emplace(variable, secret);
  return secret;
}

std::shared_ptr<const Secret> secret_of_file(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    throw input_error("cannot read the key in {}: {}", path.string(),
                      std::generic_category().message(errno));
  }
  if ((facts.st_mode & 077) != 0) {
    throw input_error("{} holds a key, but others than its owner may use it (mode {:o})",
                      path.string(), facts.st_mode & 0777)
        .with_hint("chmod 600 " + path.string());
  }
  std::string key = without_blanks(read_file(path, uint64_t{1} << 16));
  if (key.empty()) throw input_error("{} should hold a key, but is empty", path.string());
  auto secret = std::make_shared<const Secret>(key);
  wipe(key);
  return secret;
}

std::string redacted(std::string_view text) {
  std::string safe(text);
  {
    const std::lock_guard lock(shown().mutex);
    for (const Secret* secret : shown().secrets) {
      const std::string_view key = secret->reveal();
      if (key.size() < 4) continue;  // it would stand in every text
      replace_all(safe, key);
      replace_all(safe, percent_encoded(key));
      for (const std::string& form : base64_forms(key)) replace_all(safe, form);
    }
  }
  hide_bearers(safe);
  return safe;
}

}  // namespace alambic
