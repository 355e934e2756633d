#include "io/arithmetic_merge.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace fleet {
namespace {

constexpr std::uint64_t kChunk = std::uint64_t{1} << 21U;  // weights that are held at once, of every model

/// Some entries of one tensor of all models.
struct Chunk {
  WeightFiles::Place place;  // in the first model
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// All of the merge's work, in the order of the first model's files.
std::vector<Chunk> chunks_of(const WeightFiles& model) {
  std::vector<Chunk> chunks;
  for (std::size_t f = 0; f < model.files().size(); ++f) {
    const std::vector<StoredTensor>& tensors = model.files()[f].tensors();
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const std::uint64_t elements = tensors[t].elements();
      for (std::uint64_t first = 0; first < elements; first += kChunk) {
        chunks.push_back({{f, t}, first, std::min(kChunk, elements - first)});
      }
    }
  }
  return chunks;
}

/// Those of one rank: side by side, of nearly as many bytes on every rank.
std::span<const Chunk> share_of(const std::vector<Chunk>& chunks, const WeightFiles& model, const Comm& comm) {
  const auto bytes = [&](const Chunk& chunk) {
    return chunk.count * bytes_of(model.files()[chunk.place.file].tensors()[chunk.place.tensor].type);
  };
  std::uint64_t all = 0;
  for (const Chunk& chunk : chunks) all += bytes(chunk);
  const auto border = [&](int rank) {
    const auto wanted = static_cast<double>(all) * rank / comm.size();
    std::size_t i = 0;
    for (std::uint64_t so_far = 0; i < chunks.size() && static_cast<double>(so_far) < wanted; ++i) {
      so_far += bytes(chunks[i]);
    }
    return i;
  };
  const std::size_t begin = border(comm.rank());
  return std::span(chunks).subspan(begin, border(comm.rank() + 1) - begin);
}

/// Whether a tensor holds what a batch normalisation of PyTorch's has seen.
bool is_statistic(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return last == "running_mean" || last == "running_var";
}

/// What a chunk is made from, as it lies in the files: models, base, diagonals.
using Bytes = std::vector<std::vector<std::byte>>;

class Worker {
 public:
  Worker(const ArithmeticMerge& merge, const std::vector<WeightFiles>& models) : merge_(merge), first_(models.front()) {
    for (const WeightFiles& model : models) sources_.push_back(&model);
    models_ = models.size();
    if (merge.base != nullptr) sources_.push_back(merge.base);
    sources_.insert(sources_.end(), merge.fisher.begin(), merge.fisher.end());
  }

  [[nodiscard]] const StoredTensor& tensor(const WeightFiles::Place& place) const {
    return first_.files()[place.file].tensors()[place.tensor];
  }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

  void read(const Chunk& chunk, Bytes& bytes) {
    const std::string& name = tensor(chunk.place).name;
    bytes.resize(sources_.size());
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      const StoredTensor* stored = sources_[s]->find(name);
      if (stored == nullptr || (s >= models_ && !is_real(stored->type))) {  // of whole numbers a base says nothing
        bytes[s].clear();
        continue;
      }
      const std::size_t width = bytes_of(stored->type);
      bytes[s].resize(chunk.count * width);
      const SafetensorsReader& file = sources_[s]->file_of(name);
      file.read(*stored, chunk.first * width, bytes[s]);
      file.forget(*stored, chunk.first * width, bytes[s].size());
      bytes_read_ += bytes[s].size();
    }
  }

  /// The merged chunk, in the type of the first model.
  void combine(const Chunk& chunk, const Bytes& bytes, std::vector<std::byte>& out) {
    const StoredTensor& stored = tensor(chunk.place);
    if (!is_real(stored.type)) {
      out = bytes.front();
      const bool alike = std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(models_),
                                     [&](const auto& each) { return each == bytes.front(); });
      if (!alike) differing_.insert(stored.name);
      return;
    }
    out.resize(bytes.front().size());
    if (stored.type == NumberType::kF64) {
      combine_as(chunk, stored, bytes, doubles_, out);
    } else {
      combine_as(chunk, stored, bytes, floats_, out);
    }
  }

  /// Of TIES: per model, what the changes of this tensor must reach.
  std::vector<double> thresholds(const StoredTensor& stored) {
    std::vector<double> found;
    std::vector<std::byte> bytes;
    std::vector<float> model;
    std::vector<float> base;
    for (std::size_t m = 0; m < models_; ++m) {
      MagnitudeThreshold threshold;
      for (const bool second : {false, true}) {
        if (second) threshold.narrow(kept_of(stored));
        for (std::uint64_t first = 0; first < stored.elements(); first += kChunk) {
          const std::uint64_t count = std::min(kChunk, stored.elements() - first);
          load(*sources_[m], stored.name, first, count, bytes, model);
          load(*merge_.base, stored.name, first, count, bytes, base);
          for (std::size_t k = 0; k < count; ++k) model[k] -= base[k];
          threshold.add(model);
        }
      }
      found.push_back(static_cast<double>(threshold.value()));
    }
    return found;
  }
  void set_thresholds(std::map<std::string, std::vector<float>> thresholds) { thresholds_ = std::move(thresholds); }
  [[nodiscard]] const std::set<std::string>& differing() const { return differing_; }

 private:
  template <class Real>
  struct Numbers {
    std::vector<std::vector<Real>> decoded;
    std::vector<Real> merged;
  };

  [[nodiscard]] std::uint64_t kept_of(const StoredTensor& stored) const {
    return static_cast<std::uint64_t>(std::llround(merge_.density * static_cast<double>(stored.elements())));
  }

  void load(const WeightFiles& source, const std::string& name, std::uint64_t first, std::uint64_t count,
            std::vector<std::byte>& bytes, std::vector<float>& numbers) {
    const StoredTensor& stored = *source.find(name);
    const std::size_t width = bytes_of(stored.type);
    bytes.resize(count * width);
    numbers.resize(count);
    source.file_of(name).read(stored, first * width, bytes);
    bytes_read_ += bytes.size();
    decode(stored.type, bytes, std::span<float>(numbers));
  }

  template <class Real>
  void combine_as(const Chunk& chunk, const StoredTensor& stored, const Bytes& bytes, Numbers<Real>& numbers,
                  std::vector<std::byte>& out) {
    numbers.decoded.resize(sources_.size());
    std::vector<std::span<const Real>> spans;
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      numbers.decoded[s].resize(chunk.count);
      const NumberType type = sources_[s]->find(stored.name)->type;
      decode(type, bytes[s], std::span<Real>(numbers.decoded[s]));
      if (hides_sources() && !all_finite(type, bytes[s])) complain(stored, numbers);
      spans.emplace_back(numbers.decoded[s]);
    }
    numbers.merged.resize(chunk.count);
    const bool averages = needs_base(merge_.method) && is_statistic(stored.name);
    const std::vector<double> weights = averages ? std::vector<double>(models_, 1.0) : weights_of(stored.name);
    ArithmeticInput<Real> input{.models = std::span(spans).first(models_), .weights = weights};
    if (merge_.base != nullptr) input.base = spans[models_];
    if (!merge_.fisher.empty()) input.fisher = std::span(spans).last(models_);
    input.scale = merge_.scale;
    input.density = merge_.density;
    if (merge_.method == Arithmetic::kTies) input.thresholds = thresholds_.at(stored.name);
    for (std::size_t m = 0; m < input.fisher.size(); ++m) require_squares(stored, m, input.fisher[m]);
    input.stream = Hash().add(merge_.seed).add(stored.name).value();
    input.first = chunk.first;
    fleet::combine(averages ? Arithmetic::kAverage : merge_.method, input, std::span<Real>(numbers.merged));
    encode(stored.type, std::span<const Real>(numbers.merged), out);
    if (!all_finite(stored.type, out)) complain(stored, numbers);
  }

  /// Whether merged weights may be finite where a model's or a diagonal's are not.
  [[nodiscard]] bool hides_sources() const {
    return merge_.method == Arithmetic::kTies || merge_.method == Arithmetic::kDare ||
           merge_.method == Arithmetic::kFisher;
  }

  template <class Real>
  void require_squares(const StoredTensor& stored, std::size_t model, std::span<const Real> diagonal) const {
    const bool all = std::ranges::all_of(diagonal, [](Real value) { return value >= Real{0}; });
    require(all, merge_.fisher[model]->path().string(), ": tensor ", stored.name,
            " holds negative numbers; Fisher information is a mean of squares");
  }

  [[nodiscard]] std::vector<double> weights_of(const std::string& name) const {
    if (merge_.method != Arithmetic::kInterpolate) return merge_.weights;
    const auto fits = [&](const auto& share) { return fits_pattern(name, share.first); };
    const double t = std::ranges::find_if(merge_.shares, fits)->second;
    return {1.0 - t, t};
  }

  /// By the exponents alone, which are all ones in what is no number or infinite.
  static bool all_finite(NumberType type, std::span<const std::byte> bytes) {
    const std::size_t width = bytes_of(type);
    const auto high = [&](std::size_t k) {
      return static_cast<unsigned>(bytes[(k + 1) * width - 1]) << 8U |
             static_cast<unsigned>(bytes[(k + 1) * width - 2]);
    };
    const unsigned mask = type == NumberType::kF16 ? 0x7c00U : type == NumberType::kF64 ? 0x7ff0U : 0x7f80U;
    bool finite = true;
    for (std::size_t k = 0; k < bytes.size() / width; ++k) finite = finite && (high(k) & mask) != mask;
    return finite;
  }

  template <class Real>
  [[noreturn]] void complain(const StoredTensor& stored, const Numbers<Real>& numbers) const {
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      const bool finite = std::ranges::all_of(numbers.decoded[s], [](Real w) { return std::isfinite(w); });
      require(finite, sources_[s]->path().string(), ": tensor ", stored.name, " holds weights that are not finite");
    }
    throw Error(cat("tensor ", stored.name, ": the merged weights are beyond what ", name_of(stored.type), " holds"));
  }

  const ArithmeticMerge& merge_;
  const WeightFiles& first_;
  std::vector<const WeightFiles*> sources_;
  std::size_t models_ = 0;
  Numbers<float> floats_;
  Numbers<double> doubles_;
  std::map<std::string, std::vector<float>> thresholds_;
  std::set<std::string> differing_;
  std::uint64_t bytes_read_ = 0;
};

/// Every rank finds those of some tensors; all know them afterwards.
std::map<std::string, std::vector<float>> find_thresholds(Worker& worker, const std::vector<WeightFiles>& models,
                                                          const Comm& comm) {
  std::vector<const StoredTensor*> tensors;
  for (const SafetensorsReader& file : models.front().files()) {
    for (const StoredTensor& tensor : file.tensors()) {
      if (is_real(tensor.type)) tensors.push_back(&tensor);
    }
  }
  std::vector<double> mine;
  comm.together([&] {
    for (std::size_t t = static_cast<std::size_t>(comm.rank()); t < tensors.size();
         t += static_cast<std::size_t>(comm.size())) {
      mine.push_back(static_cast<double>(t));
      const std::vector<double> found = worker.thresholds(*tensors[t]);
      mine.insert(mine.end(), found.begin(), found.end());
    }
  });
  const std::vector<double> all = comm.all_gather(mine);
  std::map<std::string, std::vector<float>> thresholds;
  for (std::size_t i = 0; i < all.size(); i += models.size() + 1) {
    std::vector<float>& found = thresholds[tensors[static_cast<std::size_t>(all[i])]->name];
    for (std::size_t m = 0; m < models.size(); ++m) found.push_back(static_cast<float>(all[i + 1 + m]));
  }
  return thresholds;
}

/// While one chunk is combined, the next is read and the last one written.
void merge_chunks(Worker& worker, std::span<const Chunk> chunks, WeightFilesWriter& writer, MergeReport& report,
                  const Comm& comm) {
  if (chunks.empty()) return;
  std::array<Bytes, 2> read;
  std::array<std::vector<std::byte>, 2> merged;
  std::future<void> writing;
  worker.read(chunks.front(), read[0]);
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    if (comm.stop_requested()) break;  // together() tells
    std::future<void> reading;
    if (c + 1 < chunks.size()) {
      reading = std::async(std::launch::async, [&, c] { worker.read(chunks[c + 1], read[(c + 1) % 2]); });
    }
    std::vector<std::byte>& out = merged[c % 2];
    worker.combine(chunks[c], read[c % 2], out);
    report.bytes_written += out.size();
    if (writing.valid()) writing.get();
    const std::size_t width = bytes_of(worker.tensor(chunks[c].place).type);
    writing = std::async(std::launch::async,
                         [&, c, width] { writer.write(chunks[c].place, chunks[c].first * width, merged[c % 2]); });
    if (reading.valid()) reading.get();
  }
  if (writing.valid()) writing.get();
}

}  // namespace

bool fits_pattern(std::string_view name, std::string_view pattern) {
  std::size_t n = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

void check_arithmetic(const ArithmeticMerge& merge, const std::vector<WeightFiles>& models) {
  for (const WeightFiles& model : models) require_same_tensors(models.front(), model);
  if (merge.base != nullptr) require_same_tensors(models.front(), *merge.base);
  for (const auto& [name, place] : models.front().places()) {
    const StoredTensor& tensor = *models.front().find(name);
    require(is_real(tensor.type) || (tensor.type != NumberType::kF8E4M3 && tensor.type != NumberType::kF8E5M2),
            models.front().path().string(), ": ", tensor.to_string(),
            " cannot be merged: there are F16, BF16, F32, F64");
    if (!is_real(tensor.type)) continue;
    for (const WeightFiles* diagonal : merge.fisher) {
      const StoredTensor* found = diagonal->find(name);
      require(found != nullptr && found->shape == tensor.shape && is_real(found->type), diagonal->path().string(),
              " has no diagonal for ", tensor.to_string(),
              found == nullptr ? "" : cat("; it has ", found->to_string()));
    }
    if (merge.method != Arithmetic::kInterpolate) continue;
    const bool fits = std::ranges::any_of(merge.shares, [&](const auto& s) { return fits_pattern(name, s.first); });
    require(fits, "no weight is given for tensor ", name, "; a last --weight '*=0.5' fits all that are left");
  }
}

MergeReport merge_arithmetic(const ArithmeticMerge& merge, const std::vector<WeightFiles>& models,
                             const std::filesystem::path& target, const Metadata& metadata, const Comm& comm) {
  Worker worker(merge, models);
  MergeReport report;
  if (merge.method == Arithmetic::kTies) worker.set_thresholds(find_thresholds(worker, models, comm));
  const std::vector<Chunk> chunks = chunks_of(models.front());
  WeightFilesWriter writer(models.front(), target, metadata, comm);
  comm.together([&] { merge_chunks(worker, share_of(chunks, models.front(), comm), writer, report, comm); });
  writer.commit();
  std::string names;
  for (const std::string& name : worker.differing()) names += name + '\n';
  std::set<std::string> differing;
  for (const std::string& own : comm.all_gather(names)) {
    for (std::size_t begin = 0; begin < own.size(); begin = own.find('\n', begin) + 1) {
      differing.insert(own.substr(begin, own.find('\n', begin) - begin));
    }
  }
  report.from_first.assign(differing.begin(), differing.end());
  report.bytes_read = static_cast<std::uint64_t>(comm.sum(static_cast<std::int64_t>(worker.bytes_read())));
  report.bytes_written = static_cast<std::uint64_t>(comm.sum(static_cast<std::int64_t>(report.bytes_written)));
  return report;
}

}  // namespace fleet
