#include "alambic/hub/hub_datasets.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/progress.h"
#include "alambic/hub/hub_cache.h"
#include "alambic/hub/hub_listing.h"
#include "alambic/hub/hub_lock.h"
#include "alambic/io/data_folder.h"
#include "alambic/options/option_table.h"

namespace alambic {

namespace {

// Where it stands that all files of a split are there.
fs::path mark_of(const HubCache& cache, const std::string& commit, std::string split) {
  std::ranges::replace(split, '/', '-');
  return cache.home() / "complete" / (commit + ".data" + (split.empty() ? "" : "-" + split));
}

std::string opened(const HubCache& cache, const std::string& commit, const std::string& split) {
  return cache.snapshot(commit).string() + (split.empty() ? "" : ":" + split);
}

// The commit of which all is in the cache, as far as we know: fetched by us, or some files of the
// split by another tool.
std::string cached_commit(const HubCache& cache, const HubData& data) {
  const std::string commit = cache.commit_of(data.name.revision);
  if (commit.empty() || !is_folder(cache.snapshot(commit))) return "";
  if (path_exists(mark_of(cache, commit, data.split))) return commit;
  try {
    data_files(cache.snapshot(commit), data.split);
  } catch (const Error&) {
    return "";
  }
  return commit;
}

void fetch_names(const HubData& data, const HubSettings& settings, const HubCache& cache,
                 const HubListing& listing, const std::vector<std::string>& names) {
  make_folder(cache.lock().parent_path());
  const HubLock lock(cache.lock());
  make_folder(cache.snapshot(listing.commit));
  int64_t total = 0, done = 0;
  for (const std::string& name : names) {
    total += static_cast<int64_t>(listing.files.at(name).bytes.value_or(0));
  }
  Progress progress("fetch " + data.name.id, total);
  fetch_listed(HubKind::dataset, data.name, settings, listing, names, progress, done);
  progress.finish();
}

void fetch(const HubData& data, const HubSettings& settings, const HubCache& cache,
           const HubListing& listing) {
  const fs::path snapshot = cache.snapshot(listing.commit);
  const auto there = [&](const std::string& name) { return path_exists(snapshot / name); };
  // First the card, which may say what the files are.
  const bool has_card = listing.files.contains(data_card_name);
  if (has_card && !there(data_card_name)) {
    fetch_names(data, settings, cache, listing, {data_card_name});
  }
  const std::vector<std::string> names =
      choose_data_files(data.name.id, listing.names(), data.split,
                        has_card ? read_file(snapshot / data_card_name, max_card_bytes) : "");
  if (!std::ranges::all_of(names, there)) fetch_names(data, settings, cache, listing, names);
}

// For the next time, without a network too. A cache of others that we may only read has the data
// all the same.
void remember(const HubData& data, const HubCache& cache, const std::string& commit) {
  try {
    cache.set_commit(data.name.revision, commit);
    const fs::path mark = mark_of(cache, commit, data.split);
    if (path_exists(mark)) return;
    make_folder(mark.parent_path());
    write_file(mark, "");
  } catch (const Error& error) {
    if (error.exit() != Exit::environment) throw;
  }
}

bool is_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::string resolved_data(const OptionEntry& entry, const std::string& value, bool offline) {
  if (path_exists(value)) return value;
  const size_t equals = value.rfind('=');
  const bool weighted =
      equals != value.npos && is_number(std::string_view(value).substr(equals + 1));
  const std::string name = weighted ? value.substr(0, equals) : value;
  const auto data = parse_hub_data(name);
  const bool local = path_exists(name) || path_exists(name.substr(0, name.find(':'))) ||
                     (name.find('@') == name.npos && path_exists(name.substr(0, name.find('/'))));
  if (!data || local) return value;
  try {
    HubSettings settings = hub_settings();
    settings.offline = settings.offline || offline;
    return fetch_dataset(*data, settings) + (weighted ? value.substr(equals) : "");
  } catch (const Error& error) {
    throw Error(error.exit(),
                fmt::format("--{}: there is no file {}; as a name of the hub: {}", entry.name,
                            data->name.id, error.what()),
                error.hint());
  }
}

}  // namespace

std::optional<HubData> parse_hub_data(const std::string& text) {
  const size_t colon = std::min(text.find(':'), text.size());
  HubData data;
  const auto name = parse_hub_name(std::string_view(text).substr(0, colon));
  if (!name || is_data_file_name(name->id)) return std::nullopt;
  data.name = *name;
  if (colon == text.size()) return data;
  data.split = text.substr(colon + 1);
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./").find(c) != std::string_view::npos;
  };
  const bool good = !data.split.empty() && std::ranges::all_of(data.split, plain) &&
                    data.split.front() != '/' && data.split.find("..") == data.split.npos;
  if (!good) return std::nullopt;
  return data;
}

std::string fetch_dataset(const HubData& data, const HubSettings& settings) {
  const HubCache cache(settings.cache, data.name.id, HubKind::dataset);
  const std::string cached = cached_commit(cache, data);
  const bool known = !cached.empty() && path_exists(mark_of(cache, cached, data.split));
  if (known && is_commit(data.name.revision)) return opened(cache, cached, data.split);
  if (settings.offline) {
    if (!cached.empty()) return opened(cache, cached, data.split);
    throw input_error(
        "cannot load {}@{}: it is not in the cache, {}, and the network is not to be used",
        data.name.id, data.name.revision, settings.cache.string())
        .with_hint("fetch it once without --offline and HF_HUB_OFFLINE");
  }
  const auto listing = list_hub_files(HubKind::dataset, data.name, settings, !cached.empty());
  if (!listing) {
    warn("{} cannot be reached, or does not let us; taking {}@{} from the cache as it was",
         settings.endpoint, data.name.id, data.name.revision);
    return opened(cache, cached, data.split);
  }
  fetch(data, settings, cache, *listing);
  remember(data, cache, listing->commit);
  return opened(cache, listing->commit, data.split);
}

void fetch_datasets(Options& options, bool offline) {
  OptionTable table(options);
  for (OptionEntry& entry : table.entries()) {
    if ((entry.name != "data" && entry.name != "valid-data") || !entry.is_path) continue;
    if (auto* text = std::get_if<std::string*>(&entry.field)) {
      **text = resolved_data(entry, **text, offline);
    } else if (entry.is_list()) {
      for (std::string& value : *std::get<std::vector<std::string>*>(entry.field)) {
        value = resolved_data(entry, value, offline);
      }
    }
  }
}

}  // namespace alambic
