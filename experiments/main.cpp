// The command line: one function per command, one table.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>

#include "base/blas.hpp"
#include "comm/agreement.hpp"
#include "command_line.hpp"
#include "io/fetch.hpp"
#include "io/plays.hpp"
#include "io/toml.hpp"
#include "metaworld/command.hpp"
#include "model_commands.hpp"
#include "plan.hpp"
#include "provenance.hpp"
#include "sample.hpp"
#include "shakespeare.hpp"
#include "slurm.hpp"
#include "sweep/progress.hpp"
#include "sweep/runner.hpp"
#include "sweep/summary.hpp"
#include "torch/device.hpp"
#include "torch/models.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"
#include "worlds.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
using namespace exit_code;

/// Rejects two directories on one command line.
void reject_other_output(const Settings& settings, const std::string& output) {
  const auto known = settings.find("run.output");
  if (known == settings.end() || known->second.source.line > 0) return;  // of the file
  const auto* other = std::get_if<std::string>(&known->second.value.data);
  if (other != nullptr && without_trailing_slash(*other) == without_trailing_slash(output)) return;
  reject("run.output", known->second, cat("--output says ", output));
}

std::filesystem::path config_of(const po::variables_map& values) {
  return values["CONFIG"].as<std::string>();
}

/// The sweep of a configuration file, whose contents are `text`, with what the command line changes.
Sweep read_sweep(const po::variables_map& values, const std::string& text, Worlds& worlds) {
  const std::filesystem::path file = config_of(values);
  Settings settings = parse_toml(text, file.string());
  if (values.contains("set")) {
    for (const std::string& each : values["set"].as<Arguments>()) apply_override(each, settings);
  }
  if (values.contains("output")) {
    reject_other_output(settings, values["output"].as<std::string>());
    settings.insert_or_assign("run.output", Setting{Value(values["output"].as<std::string>()), Source{"--output"}});
  }
  return expand(settings, file.stem().string(), world_table(), worlds);
}

po::options_description sweep_options() {
  po::options_description options("Options");
  options.add_options()("set", po::value<Arguments>()->composing(),
                        "KEY=VALUE: override a setting; may be repeated, the last of a key counts");
  options.add_options()("output,o", po::value<std::string>(), "directory of the sweep (run.output)");
  return options;
}

int plan(const Arguments& arguments) {
  po::options_description options = sweep_options();
  options.add_options()("ranks,n", po::value<int>()->default_value(1), "ranks that mpirun will start");
  options.add_options()("resolved", "print the whole configuration, defaults included, and nothing else");
  options.add_options()("cells", "list every cell");
  const auto values = parse(arguments, options, "CONFIG", "fleet plan CONFIG [options]");
  if (!values) return 0;
  Worlds worlds;
  const Sweep sweep = read_sweep(*values, read_toml_text(config_of(*values)), worlds);
  if (values->contains("resolved")) {
    std::cout << sweep.resolved;
    return 0;
  }
  print_plan(std::cout, sweep, std::max(1, (*values)["ranks"].as<int>()), values->contains("cells"));
  return 0;
}

RunRequest read_request(const po::variables_map& values) {
  RunRequest request;
  request.accept_changes = values.contains("accept-changes");
  request.into_existing = values.contains("into-existing");
  request.collect = !values.contains("no-collect");
  const std::string rerun = values["rerun"].as<std::string>();
  if (rerun == "failed")
    request.rerun = RunRequest::Rerun::kFailed;
  else if (rerun == "all")
    request.rerun = RunRequest::Rerun::kAll;
  else if (rerun != "none")
    throw ConfigError(cat("--rerun ", rerun, ": expected none, failed or all"));
  const std::string shard = values["shard"].as<std::string>();
  const std::size_t slash = std::min(shard.find('/'), shard.size());
  const char* const end = shard.data() + shard.size();
  const auto index = std::from_chars(shard.data(), end, request.shard);
  const auto count = std::from_chars(std::min(shard.data() + slash + 1, end), end, request.shards);
  const bool read = index.ec == std::errc{} && index.ptr == shard.data() + slash && count.ec == std::errc{};
  if (!read || count.ptr != end || request.shard < 0 || request.shard >= request.shards) {
    throw ConfigError(cat("--shard ", shard, ": expected I/N with 0 <= I < N"));
  }
  return request;
}

int report(const Sweep& sweep, const RunSummary& summary, bool collect) {
  const SweepDirectory directory(sweep.run.output);
  if (collect && !directory.cell_files().empty()) {
    const std::filesystem::path joined = directory.joined_file();
    directory.collect(joined);
    std::cout << '\n';
    print_summary(std::cout, joined);
    std::cout << "\nresults: " << joined.string() << '\n';
  }
  const int failures = summary.failed + summary.failed_before;
  std::cout << summary.ran - summary.failed + summary.done_before << " cells done (" << summary.done_before
            << " of them before)";
  if (failures > 0) {
    std::cout << ", " << failures << " failed: `fleet status " << shell_quoted(directory.path().string())
              << "` says why, `--rerun failed` tries them again";
  }
  if (summary.elsewhere > 0) std::cout << ", " << summary.elsewhere << " left to another job that runs them";
  std::cout << '\n';
  if (summary.ran > 0) {
    std::cout << "efficiency: " << std::lround(100.0 * summary.efficiency()) << " % of "
              << duration_text(summary.allocated_seconds) << " of rank time" << '\n';
  }
  std::cout << std::flush;
  return failures > 0 ? kFailed : 0;
}

/// Gives every rank its GPU if the sweep asks for them, or refuses the run. What ranks compute on, for provenance.
std::string take_device(const Sweep& sweep, const Comm& world) {
  if (!sweep.asks_for_gpus()) return "cpu";
  const Comm node = world.node();
  std::string gpu;
  world.together([&] { gpu = take_gpu(node.rank()); });
  std::string all;
  for (const std::string& name : world.all_gather(gpu)) all += (all.empty() ? "" : ", ") + name;
  return all;
}

/// What one rank reads, on every rank: a file may be changed while ranks start, be an old copy on some node, or a pipe.
std::string read_once(const std::filesystem::path& config, const Comm& world) {
  std::string text;
  world.together([&] {
    if (world.is_root()) text = read_toml_text(config);
  });
  world.broadcast(text);
  return text;
}

/// Differs where sweeps, or the data that ranks have found for them, differ.
std::string identity_of(const Sweep& sweep) {
  std::string text = sweep.config;
  for (const Cell& cell : sweep.cells) text += cat("cell ", cell.id, ": ", cell.label(), '\n');
  return text;
}

int run_on(const Comm& world, const Arguments& arguments, const po::variables_map& values) {
  Worlds worlds;
  Sweep sweep;
  RunRequest request;
  const std::string config = read_once(config_of(values), world);
  together_telling_where(world, [&] {
    sweep = read_sweep(values, config, worlds);
    request = read_request(values);
  });
  require_same(world, "what is to be run", identity_of(sweep));
  set_threads(sweep.run.threads);
  request.provenance = provenance_of("run", arguments, world);
  request.provenance["device"] = take_device(sweep, world);
  try {
    const RunSummary summary = run_sweep(sweep, worlds, request, world);
    int code = 0;
    world.together([&] {
      if (world.is_root()) code = report(sweep, summary, request.collect);
    });
    return static_cast<int>(world.max(code));
  } catch (const Interrupted&) {
    if (world.is_root()) {
      std::cerr << "fleet: interrupted; finished cells are kept, and those under way as far as they are. To go on, run "
                   "the same command again:\n  "
                << request.provenance["command_line"] << std::endl;
    }
    return kInterrupted;
  }
}

int run(const Arguments& arguments) {
  po::options_description options = sweep_options();
  options.add_options()("shard", po::value<std::string>()->default_value("0/1"),
                        "I/N: run only every N-th cell, from the I-th (job arrays)");
  options.add_options()("rerun", po::value<std::string>()->default_value("none"),
                        "which finished cells to run again: none, failed or all");
  options.add_options()("accept-changes", "go on in a directory whose sweep had another configuration");
  options.add_options()("into-existing", "write beside files of others in a directory that holds no sweep yet");
  options.add_options()("no-collect", "do not join the cells into OUTPUT.h5 at the end");
  return on_ranks(arguments, [&](const Comm& world) {
    const auto values = parse(arguments, options, "CONFIG", "mpirun -n RANKS fleet run CONFIG [options]");
    return values ? run_on(world, arguments, *values) : 0;
  });
}

int slurm(const Arguments& arguments) {
  Cluster cluster;
  po::options_description options = sweep_options();
  options.add_options()("hours", po::value(&cluster.hours)->default_value(cluster.hours), "that the sweep may take");
  options.add_options()("cores", po::value(&cluster.cores_per_node)->default_value(cluster.cores_per_node),
                        "of a node");
  options.add_options()("memory", po::value(&cluster.memory_per_node_gib)->default_value(cluster.memory_per_node_gib),
                        "of a node, in GiB");
  options.add_options()("script", po::value<std::string>(), "file to write; NAME.sbatch by default");
  const auto values = parse(arguments, options, "CONFIG", "fleet slurm CONFIG [options]");
  if (!values) return 0;
  if (!(cluster.hours > 0.0) || cluster.cores_per_node < 1 || !(cluster.memory_per_node_gib > 0.0)) {
    throw ConfigError("--hours, --cores and --memory are above zero");
  }
  Worlds worlds;
  const Sweep sweep = read_sweep(*values, read_toml_text(config_of(*values)), worlds);
  const std::string config = (*values)["CONFIG"].as<std::string>();
  std::string line =
      shell_quoted((config.starts_with('-') ? "./" : "") + config) + " --output=" + shell_quoted(sweep.run.output);
  if (values->contains("set")) {
    for (const std::string& text : (*values)["set"].as<Arguments>()) line += " --set " + shell_quoted(text);
  }
  write_job_script(sweep, cluster, line,
                   values->contains("script") ? (*values)["script"].as<std::string>() : sweep.name + ".sbatch");
  return 0;
}

int list(const Arguments& /*arguments*/) {
  const auto print = [](const char* title, const auto& table) {
    std::cout << title << '\n';
    for (const auto& entry : table)
      std::cout << "  " << std::left << std::setw(14) << entry.name << entry.summary << '\n';
  };
  print("workloads (workload)", world_table());
  print("methods (merge.method)", merger_table());
  print("models (model.kind)", model_table());
  return 0;
}

int status(const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("all", "list every cell, not only those failed and running");
  const auto values = parse(arguments, options, "DIR", "fleet status DIR [--all]");
  if (!values) return 0;
  const SweepDirectory directory((*values)["DIR"].as<std::string>());
  const std::vector<CellStatus> cells = directory.status();
  constexpr std::array<const char*, 4> kNames = {"pending", "running", "failed", "done"};
  std::array<std::size_t, 4> counts{};
  for (const CellStatus& cell : cells) ++counts[static_cast<std::size_t>(cell.state)];
  std::cout << cells.size() << " cells: " << counts[3] << " done, " << counts[2] << " failed, " << counts[1]
            << " running, " << counts[0] << " pending\n";
  if (const auto last = directory.last_run(); !last.empty()) {
    std::cout << "last run:";
    for (const auto& [column, value] : last) std::cout << ' ' << column << '=' << value;
    std::cout << '\n';
  }
  for (const CellStatus& cell : cells) {
    const bool telling = cell.state == CellState::kFailed || cell.state == CellState::kRunning;
    if (!telling && !values->contains("all")) continue;
    std::cout << "  " << std::left << std::setw(8) << kNames[static_cast<std::size_t>(cell.state)] << cell.id << "  "
              << cell.label << (cell.detail.empty() ? "" : ": " + cell.detail) << '\n';
  }
  return 0;
}

int collect(const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("output,o", po::value<std::string>(), "file to write; DIR.h5 by default");
  const auto values = parse(arguments, options, "DIR", "fleet collect DIR [-o FILE]");
  if (!values) return 0;
  const std::string path = without_trailing_slash((*values)["DIR"].as<std::string>());
  const SweepDirectory directory(path);
  const std::filesystem::path output = values->contains("output")
                                           ? std::filesystem::path((*values)["output"].as<std::string>())
                                           : directory.joined_file();
  directory.collect(output);
  print_summary(std::cout, output);
  std::cout << "\nresults: " << output.string() << '\n';
  return 0;
}

int data_fetch(const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("to", po::value<std::string>(),
                        "directory for the files; $FLEET_DATA/NAME or data/NAME by default");
  const auto values = parse(arguments, options, "NAME", "fleet data fetch NAME [--to DIR]");
  if (!values) return 0;
  const std::string name = (*values)["NAME"].as<std::string>();
  if (values->contains("to") && (*values)["to"].as<std::string>().empty())
    throw ConfigError("--to: expected a directory");
  fetch_dataset(name,
                values->contains("to") ? std::filesystem::path((*values)["to"].as<std::string>())
                                       : default_data_directory() / name,
                std::cout);
  return 0;
}

int data_show(const Arguments& arguments) {
  const auto values = parse(arguments, po::options_description("Options"), "FILE", "fleet data show FILE");
  if (values) print_statistics(std::cout, read_plays((*values)["FILE"].as<std::string>()));
  return 0;
}

int data(const Arguments& arguments) {
  const std::string verb = arguments.empty() ? "" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (verb == "fetch") return data_fetch(rest);
  if (verb == "show") return data_show(rest);
  throw ConfigError("usage: fleet data fetch NAME [--to DIR], or fleet data show FILE for the plays in a text");
}

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Arguments& arguments);
};
constexpr std::array kCommands = {
    Command{"run", "run a sweep, under mpirun or srun: mpirun -n 5 fleet run CONFIG", run},
    Command{"plan", "say what a sweep would run, and check everything without training", plan},
    Command{"slurm", "write a Slurm job script for a sweep, by what its finished cells took", slurm},
    Command{"status", "say what is done, running and failed in a sweep's directory", status},
    Command{"collect", "join a sweep's finished cells into one HDF5 file", collect},
    Command{"merge", "merge saved models: fleet merge A.h5 B.h5 --method M -o C.h5", merge_models},
    Command{"barrier", "loss between saved models: fleet barrier A.h5 B.h5 -o DIR", measure_barriers},
    Command{"sample", "print text from a cell's merged weights: fleet sample RESULTS.h5 --cell ID", sample_command},
    Command{"data", "fetch data sets, and say what is in a text: fleet data fetch mnist", data},
    Command{"metaworld", "roll-outs and demonstrations of Meta-World's tasks", metaworld_command},
    Command{"list", "list workloads, merging methods and models", list},
};

int dispatch(const Arguments& arguments) {
  const std::string name = arguments.empty() ? "--help" : arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    std::cout << "fleet " << kVersion << ": policy merging in robot fleets\n\nusage: fleet COMMAND ...\n\n";
    for (const Command& command : kCommands) {
      std::cout << "  " << std::left << std::setw(11) << command.name << command.summary << '\n';
    }
    std::cout << "\n`fleet COMMAND --help` shows a command's options.\n";
    return arguments.empty() ? kMisused : 0;
  }
  if (name == "--version") {
    std::cout << "fleet " << kVersion << " (" << kGitRevision << "), LibTorch " << torch_version() << ", HDF5 "
              << hdf5_version() << '\n';
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(Arguments(arguments.begin() + 1, arguments.end()));
    names.emplace_back(command.name);
  }
  const std::optional<std::string> meant = nearest(name, names);
  throw ConfigError(
      cat("there is no command ", name, meant ? cat("; did you mean ", *meant, "?") : "; try fleet --help"));
}

/// Whether a command has enough to calculate for the choice of kernels to matter, if only for the same last bits.
bool computes(std::string_view command) {
  constexpr std::array kComputing{"run", "merge", "barrier", "sample", "metaworld"};
  return std::find(kComputing.begin(), kComputing.end(), command) != kComputing.end();
}

}  // namespace
}  // namespace fleet

int main(int argc, char** argv) {
  if (argc > 1 && fleet::computes(argv[1])) fleet::ensure_fast_blas(argv);  // it starts the program anew
  try {
    const int code = fleet::dispatch(fleet::Arguments(argv + 1, argv + argc));
    if (!std::cout.flush().bad()) return code;  // ranks that do not print have another bit set
    std::cerr << "fleet: standard output cannot be written to" << std::endl;
    return fleet::exit_code::kFailed;
  } catch (const fleet::ConfigError& error) {
    std::cerr << "fleet: " << error.what() << std::endl;
    return fleet::exit_code::kMisused;
  } catch (const std::exception& error) {
    std::cerr << "fleet: " << error.what() << std::endl;
    return fleet::exit_code::kFailed;
  }
}
