// Data sets of the Hugging Face hub, by name in --data and --valid-data.
#pragma once

#include <optional>
#include <string>

#include "alambic/hub/hub_name.h"
#include "alambic/hub/hub_settings.h"
#include "alambic/options/options.h"

namespace alambic {

/// A data set of the hub, and which of its rows: "org/name[@revision][:[CONFIGURATION/]SPLIT]".
struct HubData {
  HubName name;
  std::string split;  ///< empty: train, where its files say splits
};

/// Nothing for a text that is no such name, or may be a file: one that ends as data files do.
std::optional<HubData> parse_hub_data(const std::string& text);

/// The folder with the data files of this split, as text/data/data_rows.h opens it
/// ("FOLDER" or "FOLDER:SPLIT"); what is missing is fetched into the cache that huggingface_hub has
/// too. Which files those are: io/data_folder.h. Errors are fetch_model's (hub.h), and those of
/// choosing.
std::string fetch_dataset(const HubData& data, const HubSettings& settings);

/// Fetches the data sets of the hub that the options `data` and `valid-data` name, and puts their
/// folders in the names' place; weights behind an '=' stay. What is there as a file or folder is
/// none. `offline`: only from the cache.
void fetch_datasets(Options& options, bool offline);

}  // namespace alambic
