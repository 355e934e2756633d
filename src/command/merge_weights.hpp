// `fleet merge` on safetensors files.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <vector>

#include "command/command_line.hpp"

namespace fleet {

/// Merges or aligns the models that `paths` name: files, indices or folders of safetensors. Collective.
int merge_weights(const Comm& world, const std::vector<std::filesystem::path>& paths,
                  const boost::program_options::variables_map& values);

}  // namespace fleet
