"""The released networks' tensors, by the names and shapes that their public code gives them."""

import numpy as np
import torch


class Table(dict):
    """Names → shapes."""

    def conv(self, name, inputs, outputs, kernel=3, bias=True, groups=1):
        self[f"{name}.weight"] = (outputs, inputs // groups, kernel, kernel)
        if bias:
            self[f"{name}.bias"] = (outputs,)


def did_anet():
    table = Table()
    for half, inputs, width, blocks, outputs in (("a", 3, 64, 4, 1), ("b", 4, 128, 16, 3)):
        table.conv(f"conv01{half}", inputs, width)
        for block in range(1, blocks + 1):
            for place in (0, 2):
                table.conv(f"convRes{block:02}{half}.{place}", width, width)
        table.conv(f"conv02{half}", width, width)
        table.conv(f"conv03{half}", width, outputs)
    return table


def nafnet(width):
    table, depths = Table(), (1, 1, 1, 28)

    def block(name, c):
        table.update({f"{name}.{part}": (1, c, 1, 1) for part in ("beta", "gamma")})
        table.update({f"{name}.norm{k}.{part}": (c,) for k in (1, 2) for part in ("weight", "bias")})
        table.conv(f"{name}.conv1", c, 2 * c, 1)
        table.conv(f"{name}.conv2", 2 * c, 2 * c, 3, groups=2 * c)
        table.conv(f"{name}.conv3", c, c, 1)
        table.conv(f"{name}.sca.1", c, c, 1)
        table.conv(f"{name}.conv4", c, 2 * c, 1)
        table.conv(f"{name}.conv5", c, c, 1)

    table.conv("intro", 3, width)
    table.conv("ending", width, 3)
    for level, depth in enumerate(depths):
        c = width * 2**level
        for k in range(depth):
            block(f"encoders.{level}.{k}", c)
        table.conv(f"downs.{level}", c, 2 * c, 2)
        table.conv(f"ups.{3 - level}.0", 2 * c, 4 * c, 1, bias=False)
        block(f"decoders.{3 - level}.0", c)
    block("middle_blks.0", 16 * width)
    return table


def mimo_unet(blocks):
    table = Table()

    def conv(name, inputs, outputs, kernel=3):
        table.conv(f"{name}.main.0", inputs, outputs, kernel)

    for k, c in enumerate((32, 64, 128)):
        for part, place in (("Encoder", k), ("Decoder", 2 - k)):
            for block in range(blocks):
                for half in (0, 1):
                    conv(f"{part}.{place}.layers.{block}.main.{half}", c, c)
    for k, (a, b, kernel) in enumerate(((3, 32, 3), (32, 64, 3), (64, 128, 3), (64, 128, 4), (32, 64, 4), (32, 3, 3))):
        conv(f"feat_extract.{k}", a, b, kernel)
        if kernel == 4:  # transposed: inputs come first, and the bias is the outputs'
            table[f"feat_extract.{k}.main.0.bias"] = (a,)
    for k, c in enumerate((64, 32)):
        conv(f"Convs.{k}", 2 * c, c, 1)
        conv(f"ConvsOut.{k}", 2 * c, 3)
        conv(f"AFFs.{k}.conv.0", 224, 32 * (k + 1), 1)
        conv(f"AFFs.{k}.conv.1", 32 * (k + 1), 32 * (k + 1))
    for k, c in ((1, 128), (2, 64)):
        conv(f"FAM{k}.merge", c, c)
        widths = (3, c // 4, c // 2, c // 2, c - 3)
        for step in range(4):
            conv(f"SCM{k}.main.{step}", widths[step], widths[step + 1], (3, 1, 3, 1)[step])
        conv(f"SCM{k}.conv", c, c, 1)
    return table


def mprnet():
    table, widths = Table(), (96, 144, 192)

    def conv(name, inputs, outputs, kernel=1):
        table.conv(name, inputs, outputs, kernel, bias=False)

    def cab(name, c):
        conv(f"{name}.CA.conv_du.0", c, c // 4)
        conv(f"{name}.CA.conv_du.2", c // 4, c)
        conv(f"{name}.body.0", c, c, 3)
        table[f"{name}.body.1.weight"] = (1,)
        conv(f"{name}.body.2", c, c, 3)

    for k in (1, 2, 3):
        conv(f"shallow_feat{k}.0", 3, 96, 3)
        cab(f"shallow_feat{k}.1", 96)
    for stage in (1, 2):
        for level, c in enumerate(widths, 1):
            for part in ("encoder", "decoder"):
                for k in range(2):
                    cab(f"stage{stage}_{part}.{part}_level{level}.{k}", c)
            for part in ("enc", "dec") if stage == 2 else ():
                conv(f"stage2_encoder.csff_{part}{level}", c, c)
        for k, c in ((1, 96), (2, 144)):
            conv(f"stage{stage}_encoder.down{k}{k + 1}.down.1", c, c + 48)
            conv(f"stage{stage}_decoder.up{k + 1}{k}.up.1", c + 48, c)
            cab(f"stage{stage}_decoder.skip_attn{k}", c)
        sam = f"sam{stage}{stage + 1}"
        conv(f"{sam}.conv1", 96, 96)
        conv(f"{sam}.conv2", 96, 3)
        conv(f"{sam}.conv3", 3, 96)
        conv(f"concat{stage}{stage + 1}", 192, (96, 128)[stage - 1], 3)
    for k in (1, 2, 3):
        for block in range(8):
            cab(f"stage3_orsnet.orb{k}.body.{block}", 128)
        conv(f"stage3_orsnet.orb{k}.body.8", 128, 128, 3)
        for part in ("enc", "dec"):
            conv(f"stage3_orsnet.conv_{part}{k}", 96, 128)
    for part in ("enc", "dec"):
        conv(f"stage3_orsnet.up_{part}1.up.1", 144, 96)
        conv(f"stage3_orsnet.up_{part}2.0.up.1", 192, 144)
        conv(f"stage3_orsnet.up_{part}2.1.up.1", 144, 96)
    conv("tail", 128, 3, 3)
    return table


def ifan():
    table, widths, taps = Table(), (32, 64, 128, 128), 17 * 128 * 7

    def residuals(name, c, count):
        for k in range(count):
            for place in (0, 2):
                table.conv(f"{name}.stem.{k}.{place}", c, c)

    def predictor(name, inputs, outputs, last, kernel=3):
        table.conv(f"{name}.0.0", inputs, 128)
        for k in (1, 2):
            residuals(f"{name}.{k}", 128, 2)
        table.conv(f"{name}.{last}", 128, outputs, kernel)

    for part in ("conv", "kconv"):
        for level, (a, b) in enumerate(zip((3, *widths[:3]), widths, strict=True), 1):
            for k in (1, 2, 3):
                table.conv(f"Network.{part}{level}_{k}.0", a if k == 1 else b, b)
    predictor("Network.conv4_4", 256, 128, "3.0")
    predictor("Network.DME", 128, 1, "3")
    predictor("Network.F", 128, taps, "3", 1)
    predictor("reblurNet.RBF", taps, 17 * 3 * 7, "3")
    table.conv("Network.conv_DME.0", 1, 128)
    table.conv("Network.conv_res.0.0", 128, 128)
    residuals("Network.conv_res.1", 128, 3)
    table.conv("Network.conv_res.2.0", 128, 128)
    for level, (a, b) in ((3, (128, 128)), (2, (128, 64)), (1, (64, 32))):
        table[f"Network.upconv{level}_u.0.weight"], table[f"Network.upconv{level}_u.0.bias"] = (a, b, 4, 4), (b,)
        for k in (1, 2):
            residuals(f"Network.upconv{level}_{k}", b, 1)
    table.conv("Network.out_res.0", 32, 3)
    return table


def dpdnet(first=1):
    """Keras's, height × width × inputs × outputs; ``first``: where the session's count of layers stands."""
    widths = (64, 128, 256, 512, 1024)
    layers = [pair for a, b in zip((3, *widths[:4]), widths, strict=True) for pair in ((a, b, 3), (b, b, 3))]
    for c in widths[3::-1]:
        layers += [(2 * c, c, 2), (2 * c, c, 3), (c, c, 3)]
    table = {}
    for number, (a, b, kernel) in enumerate([*layers, (64, 3, 3), (3, 3, 1)], first):
        name = f"conv2d_{number}/conv2d_{number}"
        table[f"{name}/kernel:0"], table[f"{name}/bias:0"] = (kernel, kernel, a, b), (b,)
    return table


def dme_net():
    """TensorLayer's, height × width × inputs × outputs, with what serves training alone."""
    table = {}

    def conv(name, inputs, outputs, kernel=3, place="main_net/defocus_net/"):
        table[f"{place}{name}/kernel:0"], table[f"{place}{name}/bias:0"] = (kernel, kernel, inputs, outputs), (outputs,)

    def normed(name, number, inputs, outputs, kernel=3):
        conv(f"decoder/{name}/c{number}", inputs, outputs, kernel)
        for part in ("beta", "moving_mean", "moving_variance"):
            table[f"main_net/defocus_net/decoder/{name}/b{number}/{part}:0"] = (outputs,)

    widths = (64, 128, 256, 512, 512)
    for level, (a, b, count) in enumerate(zip((3, *widths[:4]), widths, (2, 2, 4, 4, 4), strict=True), 1):
        for k in range(count):
            conv(f"encoder/conv{level}_{k + 1}", b if k else a, b)
    for level, inputs, c in ((3, 1024, 256), (2, 512, 128), (1, 256, 64)):
        for k in (1, 2, 3):
            normed(f"u{level}", k, inputs if k == 1 else c, c)
    normed("u0", "_init", 128, 64)
    for level, inputs, c in ((4, 512, 256), (3, 256, 128), (2, 128, 64), (1, 64, 32), (0, 64, 32)):
        normed(f"u{level}_aux", 1, inputs, c)
        normed(f"u{level}_aux", 2, c, 1)
    for k in range(7):
        normed("u0", f"_res{k}", 64, 64, 1)
        for half in (1, 2):
            normed("u0", f"{k}_{half}", 64, 64)
    normed("uf", 1, 64, 64)
    normed("uf", 2, 64, 32)
    conv("decoder/uf/c3", 32, 1)
    conv("encoder/conv6_1", 512, 64)
    table["main_net/defocus_net/encoder/c_logits_1/W:0"] = (512, 512)
    conv("binary_net/l1/c1", 1, 64, 1, place="main_net/")
    conv("feature/h0/c1", 64, 64, 4, place="discriminator/")
    return table


def random_weights(table, seed=0):
    """Values that keep features near their size through a network; alike copies of MPRNet's one PReLU."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in table.items():
        if name.endswith("moving_variance:0"):
            weights[name] = torch.empty(shape).uniform_(0.5, 1.5, generator=generator)
        elif len(shape) < 4 or shape == (1, shape[1], 1, 1):
            weights[name] = torch.empty(shape).uniform_(-0.1, 0.1, generator=generator)
            if "norm" in name and name.endswith("weight"):
                weights[name] += 1
        else:
            inputs = np.prod(shape[:3]) if name.endswith(":0") else np.prod(shape[1:])
            width = (3 / float(inputs)) ** 0.5
            weights[name] = torch.empty(shape).uniform_(-width, width, generator=generator)
        if shape == (1,) and name.endswith("body.1.weight"):
            weights[name] = torch.full((1,), 0.25)
    return weights
