"""Figures beside named rivals, each in one run.

    receive.py       reception, durable, beside Orthanc and storescp
    latency.py       from the last C-STORE to the last derived object in the PACS
    model.py         the denoiser's engines beside eager PyTorch; model_gpu.py on a GPU
    model_parts.py   what these share with the other pipelines'
    mr_to_ct.py, cesm_vce.py, ct_to_pet.py
                     the same for these, in seconds a study
    training.py      images a second of the common way to train

`make bench` runs all; `python -m benchmarks receive` runs one. Results go to `results/`.
"""
